"""Presence reports (CloudTrax, Datto, EnGenius) to claims: only of devices that are associated."""
