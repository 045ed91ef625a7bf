"""The evaluation suite: does the bot answer, correct, refer, refuse and raise the alarm as it should."""
