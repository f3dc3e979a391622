"""Other clients of the same API, measured beside ours. Run ``python -m benchmarks.peers``.

They are installed by ``nox -s peers``, in an environment of their own; whoever is not there is
left out of the report.
"""
