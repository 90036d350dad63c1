"""One patient: from the population's prediction for such a person and the patient's samples to the twin's posterior."""
