"""What `greffier central` does: one file per sub verb, found by `verbs`."""
