-- SPDX-License-Identifier: Apache-2.0
-- One feedback, as Redis would keep it. ARGV: event id, a number; then one loss a head.
-- The event counts once; the state is the number of updates and the log-weights, packed.
-- The user comes from the id, because redis-benchmark makes one random number a command.
local N_USERS = 1000
local n = #ARGV - 1
local user = ARGV[1] % N_USERS
local packing = string.rep("d", n + 1)
local state = redis.call("GET", "state:" .. user)
local s
if state then
  s = {struct.unpack(packing, state)}
else
  s = {}
  for k = 1, n + 1 do s[k] = 0 end
end
if redis.call("HSETNX", "events:" .. user, ARGV[1], table.concat(ARGV, ",", 2)) == 0 then
  return state
end
local most = -math.huge
for k = 2, n + 1 do
  s[k] = s[k] - ARGV[k]
  most = math.max(most, s[k])
end
local sum = 0
for k = 2, n + 1 do sum = sum + math.exp(s[k] - most) end
for k = 2, n + 1 do s[k] = s[k] - most - math.log(sum) end
s[1] = s[1] + 1
state = struct.pack(packing, unpack(s, 1, n + 1))
redis.call("SET", "state:" .. user, state)
return state
