-- A page's visit as the vendor's sample sends it, from one of 100,000 visitors; the sums as one line of JSON at the end.

local body = "appkey=bench&uid=%064x&uType=c&actionType=visit&requestType=action"
  .. "&aditionalData%%5Bbrands%%5D%%5B0%%5D=Zara&aditionalData%%5Bbrands%%5D%%5B1%%5D=Adidas"
  .. "&aditionalData%%5Btenants%%5D%%5B0%%5D=H%%26M&aditionalData%%5Btenants%%5D%%5B1%%5D=C%%26A"

wrk.method = "POST"
wrk.path = "/jsapi/send"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"

function request()
  return wrk.format(nil, nil, nil, body:format(math.random(100000)))
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
