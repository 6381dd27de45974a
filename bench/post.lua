-- One chat request, over and over. Arguments: model, stream (true or false), a file of
-- keys, one a line, which take turns, and further headers as "name=value".
-- Prints one JSON line at the end, for bench/load.py to read.

local keys, turn = {}, 0

function init(args)
  local prompt = string.rep("Tell me about the weather in Constantinople. ", 40)
  for line in io.lines(args[3]) do keys[#keys + 1] = "Bearer " .. line end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = keys[1]
  for index = 4, #args do
    local name, value = string.match(args[index], "^([^=]+)=(.*)$")
    wrk.headers[name] = value
  end
  wrk.body = string.format(
    '{"model":"%s","stream":%s,"max_tokens":512,"temperature":0.7,'
      .. '"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"%s"}]}',
    args[1], args[2], prompt)
  local only = wrk.format()
  request = function()
    if #keys == 1 then return only end
    turn = turn % #keys + 1
    wrk.headers["Authorization"] = keys[turn]
    return wrk.format()
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"bytes":%d,"duration_us":%d,"failed":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.bytes, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
