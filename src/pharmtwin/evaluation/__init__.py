"""Evaluation: how far are the predictions from what was observed, model beside model."""
