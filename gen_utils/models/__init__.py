"""The models of the course, one family a file, with their losses, schedules and samplers."""
