"""Keeps the clock and runs the work; three tables (due, reactions, crontab) are the whole automation."""
