-- One process asks for times at which it may call, so that all of them keep to one rate.
--
-- KEYS[1]  the schedule, a hash: "next", the first time that nobody has, and "seen", when it was
--          last asked; both in microseconds of the server's clock.
-- ARGV[1]  JSON: per_second, wanted, held_us (for how long the times that it has go on), turn_us
--          (of what length the times of one answer are at most) and late_us (times that nobody
--          took may be given so much later).
--
-- Answers JSON: now, first and step in microseconds, and how many times there are.

local schedule, ask = KEYS[1], cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = {}
local rows = redis.call('HGETALL', schedule)
for i = 1, #rows, 2 do kept[rows[i]] = tonumber(rows[i + 1]) end
local free, seen = kept.next or now - ask.late_us, kept.seen or now

-- A clock that was set back takes the schedule with it, or nobody would get a time for long.
if now < seen then free = free - (seen - now) end

local step = 1000000 / ask.per_second
local first = math.max(free, now - ask.late_us)
-- What this one has still counts, should the server have forgotten it.
if ask.held_us > 0 then first = math.max(first, now + ask.held_us + step) end

-- The longer the line is, the less is given at once, so that it moves on for everybody.
local ahead = math.max(0, first - now)
local most = math.max(1, math.floor(ask.turn_us / step * ask.turn_us / (ask.turn_us + ahead)))
local count = math.min(ask.wanted, most)
free = first + count * step

redis.call('HSET', schedule, 'next', string.format('%.0f', free), 'seen', string.format('%.0f', now))
redis.call('PEXPIRE', schedule, math.ceil(math.max(0, free - now) / 1000) + 10000)

return cjson.encode({
  now = string.format('%.0f', now), first = string.format('%.0f', first), step = step, count = count,
})
