"""The benchmarks: `engine`, `end_to_end`, `record`, `heal` and `restart` have `run`; `report` says what a result is."""
