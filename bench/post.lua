-- One chat request, over and over. Arguments: model, stream (true or false), key.
-- Prints one JSON line at the end, for bench/load.py to read.

function init(args)
  local prompt = string.rep("Tell me about the weather in Constantinople. ", 40)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[3]
  wrk.body = string.format(
    '{"model":"%s","stream":%s,"max_tokens":512,"temperature":0.7,'
      .. '"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"%s"}]}',
    args[1], args[2], prompt)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"failed":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
