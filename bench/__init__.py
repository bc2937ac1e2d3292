"""Side-by-side benchmarks: ours and every peer, timed in interleaved rounds on the same machine in the same run."""
