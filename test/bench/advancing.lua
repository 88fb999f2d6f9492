-- What wrk sends: requests from a file that wrk.ts has written, whose batch ids and times advance
-- where they lie. Each thread has requests of its own, and sends them in turn.
local ffi = require("ffi")

local threads = {}
local ports = {}
for port in os.getenv("BENCH_PORTS"):gmatch("%d+") do ports[#ports + 1] = port end

function setup(thread)
  thread:set("place", #threads)
  thread.addr = wrk.lookup("127.0.0.1", ports[#threads % #ports + 1])[1]
  threads[#threads + 1] = thread
end

local requests = {}
local last = 0
local scratch = ffi.new("uint8_t[16]")
local epoch = os.getenv("BENCH_EPOCH")
local start = tonumber(os.getenv("BENCH_SECOND"))

-- The layout is that of `encode` in wrk.ts: 32-bit numbers, little-endian.
local function load(file, ofThreads)
  local handle = assert(io.open(file, "rb"))
  local text = handle:read("*a")
  handle:close()
  local numbers = ffi.cast("const uint32_t *", text)
  local at = 0
  local function number()
    at = at + 1
    return tonumber(numbers[at - 1])
  end
  for index = 0, number() - 1 do
    local one = { index = index, number = 0 }
    one.length, one.idAt, one.timeBytes, one.perSecond = number(), number(), number(), number()
    one.groups = {}
    for group = 1, number() do
      local after, count = number(), number()
      one.groups[group] = { after = after, count = count, places = numbers + at }
      at = at + count
    end
    if index % ofThreads == place then
      one.bytes = ffi.new("uint8_t[?]", one.length)
      ffi.copy(one.bytes, numbers + at, one.length)
      requests[#requests + 1] = one
    end
    at = at + math.ceil(one.length / 4)
  end
  return text
end

local kept -- so that what the requests point into stays
function init()
  kept = load(os.getenv("BENCH_REQUESTS"), tonumber(os.getenv("BENCH_THREADS")))
end

function request()
  last = last % #requests + 1
  local one = requests[last]
  one.number = one.number + 1
  local bytes, size = one.bytes, one.timeBytes
  if one.idAt > 0 then
    ffi.copy(bytes + one.idAt, string.format("%s-%04d-%010d", epoch, one.index, one.number), 24)
  end
  for _, group in ipairs(one.groups) do
    local value = (start + one.number) * one.perSecond + group.after
    for byte = 0, size - 1 do
      local low = value % 128
      value = (value - low) / 128
      scratch[byte] = low + (byte < size - 1 and 128 or 0)
    end
    local places = group.places
    for point = 0, group.count - 1 do
      local to = bytes + places[point]
      for byte = 0, size - 1 do to[byte] = scratch[byte] end
    end
  end
  return ffi.string(bytes, one.length)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"failures":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
