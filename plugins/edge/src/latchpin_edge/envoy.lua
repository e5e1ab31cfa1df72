-- Filled in by envoy_script.py: PASSING, HIDDEN, ALWAYS, FALLS, PLACES, SECRET, HOST, ORIGIN, USER_HEADER.

local MOST_KEPT = 10000
local kept, count = {}, 0

local function proxied(handle)
  handle:headers():remove("x-latchpin-way")
  handle:clearRouteCache()
end

-- What the header fields tell.
local function fields_allow(headers)
  local function one_of(name, ...)
    local value = headers:get(name) or ""
    for _, each in ipairs({...}) do
      if value == each then return true end
    end
    return false
  end
  local length = headers:get("content-length") or ""
  if headers:get(":method") ~= "POST" or not length:find("^%d%d?%d?%d?%d?$") then return false end
  if headers:get("transfer-encoding") then return false end
  if not one_of("sec-fetch-site", "", "same-origin", "none") or not one_of("content-encoding", "", "identity") then
    return false
  end
  if not one_of("mcp-method", "", "tools/call") then return false end
  local origin = headers:get("origin")
  if origin and origin:lower() ~= ORIGIN then return false end
  local kind = (headers:get("content-type") or ""):lower():gsub("[ \t]", "")
  if kind ~= "application/json" and kind ~= "application/json;charset=utf-8" then return false end
  -- asked about one by one, the last would count; the proxy refuses a user who is named twice
  if USER_HEADER ~= "" and headers:getNumValues(USER_HEADER) > 1 then return false end
  local authorization = headers:get("authorization")
  if authorization then return authorization:find("^[Bb][Ee][Aa][Rr][Ee][Rr] [%w._~+/-]+=*$") ~= nil end
  return USER_HEADER ~= "" and headers:get(USER_HEADER) ~= nil
end

-- What the body tells: a call of a tool, and nothing that the proxy has to read. Its method is the message's own, so it
-- stands before anything nested, and no other does.
local function body_allows(text)
  local own = text:match('^%s*{%s*("[^{}%[%]]*)')
  if not own or not (" " .. own):find('[^\\]"method"%s*:%s*"tools/call"') then return false end
  local _, first = text:find('"method"', 1, true)
  if text:find('"method"', first + 1, true) or text:find('"tasks\\?/') then return false end
  if text:find("\0", 1, true) or text:find("\\u00[2-7]") then return false end
  for _, word in ipairs({'"requestState"', '"inputResponses"', '"taskId"', '"taskIds"', '"task"', 'related-task', '"elicitation"'}) do
    if text:find(word, 1, true) then return false end
  end
  return true
end

-- The listener that callers reach.
function decide(handle)
  local headers = handle:headers()
  local place, query = (headers:get(":path") or ""):match("^([^?]*)(.*)$")
  if not PLACES[place] then return proxied(handle) end
  -- it may name one of several accounts; what is encoded in it is not read here
  if query:find("account", 1, true) or query:find("%", 1, true) then return proxied(handle) end
  if not fields_allow(headers) then return proxied(handle) end
  local body = handle:body()
  if not body or not body_allows(body:getBytes(0, body:length())) then return proxied(handle) end
  handle:headers():replace("x-latchpin-way", "native")  -- after a wait, what was got before is gone
  handle:clearRouteCache()
end

local function ask(handle, place)
  local asked = {}
  local key = { place.url, place.header }
  for name, value in pairs(handle:headers()) do
    if name:sub(1, 1) ~= ":" and name ~= "content-length" and name ~= "cookie" and name ~= "connection" then
      asked[name] = value
    end
  end
  for _, name in ipairs({"authorization", USER_HEADER, "mcp-session-id"}) do
    table.insert(key, name ~= "" and handle:headers():get(name) or "")
  end
  key = table.concat(key, "\n")
  local now = handle:timestamp()
  local found = kept[key]
  if found and found.until_ms > now then return found end
  asked[":method"], asked[":path"], asked[":authority"] = "GET", "/edge/token/" .. place.id, HOST
  asked["x-edge-secret"], asked["x-edge-url"], asked["x-edge-header"] = SECRET, place.url, place.header
  local answer = handle:httpCall("latchpin_edge", asked, "", 60000)
  if answer[":status"] ~= "200" then return nil end
  found = { authorization = answer["x-upstream-authorization"], session = answer["x-upstream-session"], until_ms = 0 }
  local seconds = tonumber((answer["cache-control"] or ""):match("^max%-age=(%d+)$"))
  if seconds then
    if count >= MOST_KEPT then kept, count = {}, 0 end
    found.until_ms = now + seconds * 1000
    if not kept[key] then count = count + 1 end
    kept[key] = found
  end
  return found
end

-- The listener behind it: asks which token or key goes up, and lets nothing pass that is not named. Only what is
-- granted in the end has a route; where this script fails, there is none.
function send_up(handle)
  local place = PLACES[(handle:headers():get(":path") or ""):match("^[^?]*")]
  local session = handle:headers():get("mcp-session-id")
  local found = place and ask(handle, place)
  if not found then return end
  local headers = handle:headers()
  local gone, granted = {}, place.header:gsub("_", "-")
  for name, _ in pairs(headers) do
    -- without its own x-forwarded-proto Envoy finds no route; the route drops it
    local passes = PASSING[name] and name:gsub("_", "-") ~= granted
    if name:sub(1, 1) ~= ":" and name ~= "x-forwarded-proto" and not passes then table.insert(gone, name) end
  end
  for _, name in ipairs(gone) do headers:remove(name) end
  if found.authorization then headers:replace(place.header, found.authorization) end
  if found.session then headers:replace("mcp-session-id", found.session) end
  headers:replace(":path", place.target)
  headers:replace(":authority", place.host)
  handle:streamInfo():dynamicMetadata():set("latchpin", "session", session or "")
  headers:replace("x-latchpin-granted", place.id)
  handle:clearRouteCache()
end

function come_down(handle)
  local ours = handle:streamInfo():dynamicMetadata():get("latchpin")
  if not ours then return end
  local headers = handle:headers()
  local gone = {}
  for name, _ in pairs(headers) do
    if HIDDEN[name] then table.insert(gone, name) end
    for _, prefix in ipairs(PREFIXES) do
      if name:sub(1, #prefix) == prefix then table.insert(gone, name) end
    end
  end
  for _, name in ipairs(gone) do headers:remove(name) end
  for name, value in pairs(ALWAYS) do headers:replace(name, value) end
  if ours["session"] ~= "" then headers:replace("mcp-session-id", ours["session"]) end
  if FALLS[headers:get(":status")] then headers:replace("x-edge-refused", "1") end
end
