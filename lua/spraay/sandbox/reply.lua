--- Answers that more than one place gives.
--- A response is { status, headers (list of name, value), body (table: JSON, or string),
--- content_type, wire (how the transport shall misbehave), pad_to (bytes) }.
-- SPDX-License-Identifier: MIT

local reply = {}

---@return table response
function reply.json(status, body, headers)
  return { status = status, body = body, headers = headers or {} }
end

--- No answer at all, but something done to the connection: "reset", "close", "hang".
function reply.wire(kind, options)
  options = options or {}
  options.kind = kind
  return { status = 0, headers = {}, body = "", wire = options }
end

local REASONS = { [404] = "Not Found", [500] = "Internal Server Error", [502] = "Bad Gateway",
                  [503] = "Service Unavailable", [504] = "Gateway Timeout" }

--- What a proxy says when the server behind it does not.
function reply.proxy_page(status)
  local text = ("%d %s"):format(status, REASONS[status] or "Error")
  return {
    status = status, headers = { { "server", "nginx" } }, content_type = "text/html",
    body = ("<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>\r\n"
      .. "</body>\r\n</html>\r\n"):format(text, text),
  }
end

local ESCAPES = { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;", ['"'] = "&quot;" }

--- The framework's page for a route it does not have.
function reply.not_found(request)
  return {
    status = 404, headers = { { "x-content-type-options", "nosniff" } },
    content_type = "text/html; charset=utf-8",
    body = ("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      .. "<title>Error</title>\n</head>\n<body>\n<pre>Cannot %s %s</pre>\n</body>\n</html>\n")
      :format(request.method, (request.path:gsub('[<>&"]', ESCAPES))),
  }
end

--- What the gate shows to browsers.
function reply.paywall()
  return {
    status = 402, headers = {}, content_type = "text/html; charset=utf-8",
    body = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Payment Required</title>\n"
      .. "</head>\n<body>\n<h1>Payment Required</h1>\n<p>Connect a wallet to go on.</p>\n</body>\n</html>\n",
  }
end

--- The limiter's refusal, as a fault gives it.
function reply.rate_limited(wait, headers)
  return reply.json(429, {
    error = "rate_limit_exceeded", limit = 30, window_seconds = 60, retry_after_seconds = wait,
    message = "Too many requests.", hint = "Space calls out.",
  }, headers)
end

return reply
