"""Many runs: suites, jobs, records, progress, launchers."""
