-- SPDX-License-Identifier: Apache-2.0
-- A load for wrk. Arguments: kind, path, content type, keep or close, files.
--   score     posts the files' bodies in turn
--   feedback  the one file is a template: @USER@ becomes one of 1,000 users, @ID@ a new id
-- The last line of the output is the result as JSON.
local N_USERS = 1000
local n_threads = 0

function setup(thread)
  n_threads = n_threads + 1
  thread:set("thread_number", n_threads)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function score(path, headers, files)
  local requests = {}
  for _, file in ipairs(files) do
    requests[#requests + 1] = wrk.format("POST", path, headers, read(file))
  end
  local i = thread_number
  return function()
    i = i % #requests + 1
    return requests[i]
  end
end

-- Users and ids are of one length, so that all but them is put together once: on two cores a
-- load that takes its time takes the server's.
local function feedback(path, headers, files)
  local before, between, after = read(files[1]):match("^(.*)@USER@(.*)@ID@(.*)$")
  -- the same start for every process: ids of a run are told apart by its own number
  local i, run = 0, files[2]
  local function names()
    i = i + 1
    return string.format("user-%03d", (i * 7919 + thread_number) % N_USERS),
      string.format("%s-%d-%09d", run, thread_number, i)
  end
  local user, id = names()
  local request = wrk.format("POST", path, headers, before .. user .. between .. id .. after)
  local _, last = request:find(before .. user, 1, true)
  local head = request:sub(1, last - #user)
  return function()
    user, id = names()
    return head .. user .. between .. id .. after
  end
end

function init(args)
  local headers = {["Content-Type"] = args[3]}
  if args[4] == "close" then
    headers["Connection"] = "close"
  end
  local files = {}
  for i = 5, #args do
    files[#files + 1] = args[i]
  end
  local make = args[1] == "feedback" and feedback or score
  request = make(args[2], headers, files)
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "max_ms": %.4f, ' ..
    '"bad_status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, e.status, e.connect, e.read, e.write,
    e.timeout))
end
