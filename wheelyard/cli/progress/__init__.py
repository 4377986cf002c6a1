"""What a person, a CI log or a program sees while a job runs."""
