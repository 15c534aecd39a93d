-- Sends one raw request again and again: `wrk -s replay.lua URL -- FILE VISITORS KEYS`. FILE holds it with its places
-- (calls.py); a visitor, and a key of as many as KEYS, is drawn for each. The sums are the last line, as JSON.

local pieces, visitors, keys = {}, 1, 1

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  visitors, keys = tonumber(args[2]), tonumber(args[3])
  local from = 1
  while true do
    local first, last, place = text:find("{(%l+)}", from)
    if not first then break end
    pieces[#pieces + 1] = { text:sub(from, first - 1), place }
    from = last + 1
  end
  pieces[#pieces + 1] = { text:sub(from), "" }
  math.randomseed(os.time())
end

local function told(place)
  if place == "visitor" then return string.format("%064x", math.random(visitors) - 1) end
  if place == "number" then return string.format("%06d", math.random(visitors) - 1) end
  if place == "key" then return string.format("bench%04d", math.random(keys) - 1) end
  return ""
end

function request()
  local filled = {}
  for _, piece in ipairs(pieces) do
    filled[#filled + 1] = piece[1]
    filled[#filled + 1] = told(piece[2])
  end
  return table.concat(filled)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3
  ))
end
