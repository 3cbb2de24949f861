"""From a Recipe to a Plan: names found in the catalog, options filled and checked, phases fingerprinted."""
