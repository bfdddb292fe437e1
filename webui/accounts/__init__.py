"""Who may sign in to the page: passwords, second factors, sessions, patience with those who guess."""
