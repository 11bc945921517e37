"""The benchmarks: `engine` and `end_to_end` each have `run`; `report` says what a result is."""
