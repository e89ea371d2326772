-- The requests that wrk sends, and its report: see _wrk() in load.py.
--
-- Arguments: the start of the paths, how many paths there are, "keep-alive" or "close".

local requests = {}
local last = 0

function init(args)
   wrk.headers["Connection"] = args[3]
   for number = 0, tonumber(args[2]) - 1 do
      requests[#requests + 1] = wrk.format("POST", args[1] .. string.format("%012x", number))
   end
end

function request()
   last = last % #requests + 1
   return requests[last]
end

function done(summary, latency)
   local errors = summary.errors
   print(string.format(
      '{"answered": %d, "seconds": %.6f, "median_ms": %.3f, "p99_ms": %.3f,'
         .. ' "bad_status": %d, "socket_errors": %d}',
      summary.requests,
      summary.duration / 1e6,
      latency:percentile(50) / 1e3,
      latency:percentile(99) / 1e3,
      errors.status,
      errors.connect + errors.read + errors.write + errors.timeout
   ))
end
