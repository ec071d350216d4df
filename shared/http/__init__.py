"""Everything a service owes to HTTP: application factory, authentication, problem details, health, audit, serving."""

from shared.http.application import create_app
from shared.http.audit import AuditVerdict, audited, audited_read, verify_audit
from shared.http.health import Check, NotReadyError
from shared.http.model import StrictModel
from shared.http.operations import operations_router
from shared.http.policy import Policy, Public, allow, caller_of, guarded_routes, public, token_of
from shared.http.problems import Problem
from shared.http.reading import read_settings
from shared.http.roles import Caller, Role
from shared.http.serving import serve
from shared.http.settings import HttpSettings, environment
from shared.http.starting import built
from shared.http.uploads import Upload, is_form, upload_of

__all__ = [
    "AuditVerdict",
    "Caller",
    "Check",
    "HttpSettings",
    "NotReadyError",
    "Policy",
    "Problem",
    "Public",
    "Role",
    "StrictModel",
    "Upload",
    "allow",
    "audited",
    "audited_read",
    "built",
    "caller_of",
    "create_app",
    "environment",
    "guarded_routes",
    "is_form",
    "operations_router",
    "public",
    "read_settings",
    "serve",
    "token_of",
    "upload_of",
    "verify_audit",
]
