"""One patient: from the population's prediction for such a person, and the patient's own samples, to the twin's posterior."""
