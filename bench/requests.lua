-- The requests that wrk sends, and its report: see _wrk() in load.py.
--
-- Arguments: the method, the path before a series' number and after it, how many series there are,
-- "keep-alive" or "close". A `$` after the number is a new token each time.

-- The same as in load.py: prime, so that each series gets its turn.
local STRIDE = 611953
-- Paths are made beforehand where they fit into memory.
local MOST_MADE = 10000

local method, before, after, series
local made = {}
local last = 0
-- Another run's tokens may still be the current ones.
local token = os.time() * 1000000

local function path(number)
   return before .. string.format("%012x", number) .. after
end

function init(args)
   method, before, after, series = args[1], args[2], args[3], tonumber(args[4])
   wrk.headers["Connection"] = args[5]
   if series <= MOST_MADE and not after:find("$", 1, true) then
      for number = 0, series - 1 do
         made[number] = wrk.format(method, path(number))
      end
   end
end

function request()
   last = (last + STRIDE) % series
   if made[last] then
      return made[last]
   end
   token = token + 1
   return wrk.format(method, (path(last):gsub("%$", string.format("%040x", token))))
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
