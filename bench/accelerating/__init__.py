"""Programs and libraries of others that build torch's recurrent layers; each runs with a Python of its own.

`worker.py` runs one of them in one process. Nothing here imports seqloom, except that the worker switches
`seqloom.accelerate()` on where it is told to.
"""
