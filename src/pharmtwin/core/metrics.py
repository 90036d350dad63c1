"""Exposure metrics of a dosing interval, with their units."""

METRICS = {"AUCtau": "ng*h/mL", "Cmax": "ng/mL", "Ctrough": "ng/mL", "tmax": "h"}
