"""What the OAuth troubleshooting guide has people type, set and look for, word for word, by its sections.

The guide was written for another program. Two of its lines are translated here, and only these: the gunicorn
command, whose application has another name, and the token that listing clients needs. ``test_table.py`` fails when
an entry is run by no test.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Entry", "entries"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of the guide.

    Attributes:
        section: the heading it stands under.
        text: the command, statement, block or line itself.
        outside: it installs packages or runs a system's service manager; nothing of ours is involved.
    """

    section: str
    text: str
    outside: bool = False


MULTI_WORKER = "1. Multi-Worker Deployment with In-Memory Storage"
SHOW_CACHE_TYPE = Entry(MULTI_WORKER, "grep CACHE_TYPE .env")
SHOW_WORKERS = Entry(MULTI_WORKER, 'ps aux | grep -E "(gunicorn|uvicorn)" | grep -v grep')
USE_DATABASE = Entry(MULTI_WORKER, "CACHE_TYPE=database")
USE_REDIS = Entry(MULTI_WORKER, "CACHE_TYPE=redis\nREDIS_URL=redis://localhost:6379")

EXPIRED_SECTION = "2. State TTL Expired (5 Minutes)"
STATE_TTL = Entry(EXPIRED_SECTION, "STATE_TTL_SECONDS = 300")

CONSUMED = "3. State Already Consumed (Replay Protection)"
LOG_NOT_FOUND = Entry(CONSUMED, 'grep "State not found" logs/mcpgateway.log')
LOG_USED = Entry(CONSUMED, 'grep "already been used" logs/mcpgateway.log')

LOG_MISMATCH = Entry("5. Gateway ID Mismatch", 'grep "gateway mismatch" logs/mcpgateway.log')
BALANCED = Entry("6. Load Balancer Without Sticky Sessions", "CACHE_TYPE=redis\nREDIS_URL=redis://localhost:6379")

DEBUG_SETTING = Entry("Step 1: Enable Debug Logging", "LOG_LEVEL=DEBUG")

STEP_2 = "Step 2: Check State Storage Type"
SHOW_STORAGE = Entry(STEP_2, 'grep -E "^CACHE_TYPE" .env')
VALID_STORAGE = Entry(STEP_2, "CACHE_TYPE=database\nCACHE_TYPE=redis\nCACHE_TYPE=memory\nCACHE_TYPE=none")

STEP_3 = "Step 3: Monitor State Operations"
LOG_STORED = Entry(STEP_3, 'grep "Stored OAuth state" logs/mcpgateway.log')
LOG_VALIDATION = Entry(STEP_3, 'grep -E "(validated|not found|expired|already been used)" logs/mcpgateway.log')
LOG_SIGNATURE = Entry(STEP_3, 'grep -E "(Invalid state signature|CSRF)" logs/mcpgateway.log')
HEALTHY_FLOW = Entry(
    STEP_3,
    """\
DEBUG - Stored OAuth state in Redis for gateway abc123
DEBUG - Successfully validated OAuth state from Redis for gateway abc123
INFO - Completed OAuth flow for gateway abc123, user user@example.com""",
)
SEVERAL_WORKERS_FLOW = Entry(
    STEP_3,
    """\
DEBUG - Stored OAuth state in memory for gateway abc123
WARNING - State not found in memory for gateway abc123
ERROR - OAuth callback failed: Invalid or expired state parameter - possible replay attack""",
)
EXPIRED_FLOW = Entry(
    STEP_3,
    """\
DEBUG - Stored OAuth state in database for gateway abc123
WARNING - State has expired for gateway abc123
ERROR - OAuth callback failed: Invalid or expired state parameter - possible replay attack""",
)

STEP_4 = "Step 4: Verify Redis Connectivity (if using Redis)"
REDIS_PING = Entry(STEP_4, "redis-cli ping")
REDIS_KEYS = Entry(STEP_4, 'redis-cli keys "oauth:state:*"')
REDIS_TTL = Entry(STEP_4, 'redis-cli ttl "oauth:state:<gateway_id>:<state>"')
REDIS_GET = Entry(STEP_4, 'redis-cli get "oauth:state:<gateway_id>:<state>"')

STEP_5 = "Step 5: Check Database States (if using database)"
SQL_STATES = Entry(
    STEP_5,
    """\
SELECT id, gateway_id, substr(state, 1, 50) as state_preview,
       code_verifier IS NOT NULL as has_pkce,
       expires_at, used, created_at
FROM oauth_states
ORDER BY created_at DESC
LIMIT 10;""",
)
SQL_EXPIRED = Entry(
    STEP_5,
    """\
SELECT COUNT(*) as expired_count
FROM oauth_states
WHERE expires_at < datetime('now');""",
)
SQL_USED = Entry(
    STEP_5,
    """\
SELECT COUNT(*) as used_count
FROM oauth_states
WHERE used = 1;""",
)
SQL_TOKENS = Entry(
    STEP_5,
    """\
SELECT id, gateway_id, user_id, app_user_email,
       expires_at, created_at
FROM oauth_tokens
ORDER BY created_at DESC
LIMIT 10;""",
)
POSTGRES_ALTERNATIVES = Entry(STEP_5, "Use NOW() instead of datetime('now')\nUse true instead of 1 for boolean")

STEP_6 = "Step 6: Trace a Single OAuth Flow"
EXPORT_DEBUG = Entry(STEP_6, "export LOG_LEVEL=DEBUG")
MAKE_DEV = Entry(STEP_6, "make dev")
TAIL = Entry(STEP_6, 'tail -f logs/mcpgateway.log | grep -E "(OAuth|state|gateway)"')

PRODUCTION_SETTINGS = Entry(
    "Recommended Production Configuration",
    """\
CACHE_TYPE=redis
REDIS_URL=redis://localhost:6379
REDIS_MAX_RETRIES=3
REDIS_RETRY_INTERVAL_MS=2000
OAUTH_REQUEST_TIMEOUT=30
OAUTH_MAX_RETRIES=3
OAUTH_DEFAULT_TIMEOUT=3600
OAUTH_DISCOVERY_ENABLED=true
OAUTH_PREFERRED_CODE_CHALLENGE_METHOD=S256
AUTH_ENCRYPTION_SECRET=your-secret-key-here
LOG_LEVEL=DEBUG""",
)
DCR_SETTINGS = Entry(
    "Dynamic Client Registration (DCR)",
    """\
DCR_ENABLED=true
DCR_AUTO_REGISTER_ON_MISSING_CREDENTIALS=true
DCR_DEFAULT_SCOPES=["mcp:read"]
DCR_TOKEN_ENDPOINT_AUTH_METHOD=client_secret_basic
DCR_METADATA_CACHE_TTL=3600""",
)
DEFAULTS = Entry(
    "Environment Variables",
    """\
CACHE_TYPE=database
REDIS_URL=redis://localhost:6379/0
DATABASE_URL=sqlite:///./mcp.db
AUTH_ENCRYPTION_SECRET=my-test-salt
OAUTH_REQUEST_TIMEOUT=30
OAUTH_MAX_RETRIES=3
OAUTH_DEFAULT_TIMEOUT=3600
LOG_LEVEL=INFO""",
)
MULTI_WORKER_STORES = Entry("State Storage Comparison", "database: Yes\nredis: Yes\nmemory: No")

FIX_1 = "Fix 1: Verify Database Storage is Active (Default)"
FIX_1_SHOW = Entry(FIX_1, "grep CACHE_TYPE .env")
MIGRATE = Entry(FIX_1, "alembic upgrade head")
FIX_1_RESTART = Entry(FIX_1, "make dev")

FIX_2 = "Fix 2: Switch to Redis Storage (For High-Traffic Production)"
INSTALL_REDIS = Entry(FIX_2, "sudo apt install redis-server\nbrew install redis", outside=True)
START_REDIS = Entry(FIX_2, "sudo systemctl start redis\nbrew services start redis", outside=True)
EDIT_ENV = Entry(FIX_2, "sed -i 's/CACHE_TYPE=.*/CACHE_TYPE=redis/' .env")
ADD_CACHE_TYPE = Entry(FIX_2, 'echo "CACHE_TYPE=redis" >> .env')
ADD_REDIS_URL = Entry(FIX_2, 'echo "REDIS_URL=redis://localhost:6379" >> .env')
FIX_2_RESTART = Entry(FIX_2, "make dev")

FIX_3 = "Fix 3: Single Worker Mode (Only if using CACHE_TYPE=memory)"
GUNICORN = Entry(  # there: gunicorn mcpgateway.main:app --workers 1 --bind 0.0.0.0:4444
    FIX_3, "gunicorn -k uvicorn_worker.UvicornWorker latchpin.asgi:app --workers 1 --bind 0.0.0.0:4444"
)
MAKE_SERVE = Entry(FIX_3, "WORKERS=1 make serve")

FIX_4 = "Fix 4: Clear Stale States"
CLEAR_REDIS = Entry(FIX_4, 'redis-cli keys "oauth:state:*" | xargs -r redis-cli del')
CLEAR_SQLITE = Entry(
    FIX_4, """sqlite3 mcp.db "DELETE FROM oauth_states WHERE expires_at < datetime('now') OR used = 1;\""""
)
CLEAR_POSTGRES = Entry(FIX_4, 'psql -c "DELETE FROM oauth_states WHERE expires_at < NOW() OR used = true;"')

VERIFYING = "Verifying the Fix"
RESTART = Entry(VERIFYING, "make dev")
SUCCESS_TITLE = Entry(VERIFYING, "OAuth Authorization Successful")
LOG_VALIDATED = Entry(VERIFYING, 'grep "Successfully validated OAuth state" logs/mcpgateway.log')
LOG_COMPLETED = Entry(VERIFYING, 'grep "Completed OAuth flow" logs/mcpgateway.log')
SQL_ALL_TOKENS = Entry(VERIFYING, "SELECT * FROM oauth_tokens ORDER BY created_at DESC LIMIT 5;")

DCR = "Troubleshooting DCR Issues"
SHOW_DCR = Entry(DCR, "grep DCR .env")
LOG_DCR = Entry(DCR, 'grep -E "(DCR|Dynamic Client)" logs/mcpgateway.log')
LIST_CLIENTS = Entry(DCR, "curl -s http://localhost:4444/oauth/registered-clients | jq")
LIST_CLIENTS_WITH_TOKEN = Entry(  # what the answer to the former says to do
    DCR,
    'curl -s -H "Authorization: Bearer $(latchpin token create --email you@example.com --admin)" '
    "http://localhost:4444/oauth/registered-clients | jq",
)
DCR_FAILED = Entry(DCR, "DCR failed")
NO_ISSUER = Entry(DCR, "No issuer configured")
DISCOVERY_FAILED = Entry(DCR, "Metadata discovery failed")

ERRORS = "Error Messages and Their Causes"
OPAQUE = Entry(ERRORS, "Invalid or expired state parameter - possible replay attack")
BAD_SIGNATURE = Entry(ERRORS, "Invalid state signature - possible CSRF attack")
MISMATCH = Entry(ERRORS, "State parameter gateway mismatch")
EXPIRED = Entry(ERRORS, "State has expired for gateway {gateway_id}")
USED = Entry(ERRORS, "State was already used for gateway {gateway_id} - possible replay attack")
NOT_FOUND = Entry(ERRORS, "State not found in {store} for gateway {gateway_id}")

STATE_FIELDS = Entry("State Structure", "gateway_id app_user_email nonce timestamp")

ENDPOINTS = Entry(
    "OAuth Endpoints",
    """\
GET /oauth/authorize/{gateway_id}
GET /oauth/callback
GET /oauth/status/{gateway_id}
POST /oauth/fetch-tools/{gateway_id}
GET /oauth/registered-clients
GET /oauth/registered-clients/{gateway_id}
DELETE /oauth/registered-clients/{client_id}""",
)

ADMIN_FLOW = Entry("Admin UI OAuth Flow", "Admin Panel\nGateways\nauth_type = oauth\nAuthorize\nFetch Tools")


def entries() -> dict[str, Entry]:
    """Every entry by the name of its constant."""
    return {name: value for name, value in globals().items() if isinstance(value, Entry)}
