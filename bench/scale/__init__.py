"""What work costs as it grows: tables of more rows and series, more windows, cutoffs and trials, on each engine."""
