"""Non-compartmental analysis (NCA) by PKNCA's rules, or WinNonlin's where these differ."""
