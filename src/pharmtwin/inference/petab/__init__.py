"""PEtab problems (version 1) as population models: see ``importing.import_petab``."""
