"""Above the isolated processes: plan, schedule, merge, report."""
