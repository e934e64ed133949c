"""What the program tells a user who is not there: rules, rate, channels, the daily report, and the process that sends."""
