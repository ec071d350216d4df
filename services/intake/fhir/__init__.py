"""FHIR R4 in: message Bundles and single resources, read into the same facts as HL7 v2."""
