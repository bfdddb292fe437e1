"""The legal-basis calendar: what the law was found to ask, until when, and what a site confirmed."""
