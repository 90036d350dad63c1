"""From a twin's posterior to a dose: licensable regimens, their chances of success and harm, and the next sample."""
