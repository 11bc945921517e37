"""noroshi: warn one another within a second, decide together, release only what may be released."""
