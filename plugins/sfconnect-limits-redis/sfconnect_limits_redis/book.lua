-- One process tells what it holds and wants of a limit, and learns what it may use.
--
-- KEYS[1]  the book, a hash: of each holder what it has, as JSON
--          {expires, lease, number, lanes = {name = {held, wanted}}}; under "" when the book was
--          begun, and until when a loss is waited for, in milliseconds of the server's clock.
-- ARGV[1]  the holder; where it listens is the name of the book, ":wake:" and this.
-- ARGV[2]  JSON: budget, lease_ms, turn_ms, rules = {name = {reserve, limit}}, book (the beginning
--          of the book that the holder knows; 0 for none), number (of the question), leaving, and
--          lanes = {name = {keep, wanted}}: what it uses until it has the answer, and would use.
--
-- Answers JSON: lanes = {name = {granted, part}}, book, holders. A part is what would be fair, or
-- less where too many are in use.

local book, holder, ask = KEYS[1], ARGV[1], cjson.decode(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local turn = math.floor(now / ask.turn_ms)

-- What the others have. Those that have not been heard of for the length of a lease are gone.

local begun, claims, mine, holders, others = nil, {}, {}, 1, {}
local function claim(name, lane, held, wanted)
  local made = {name = name, lane = lane, held = held, wanted = math.max(held, wanted)}
  table.insert(claims, made)
  return made
end
local rows = redis.call('HGETALL', book)
for i = 1, #rows, 2 do
  local name, row = rows[i], cjson.decode(rows[i + 1])
  if name == '' then
    begun = row
  elseif name == holder then
    -- One that was given up and comes late would undo what has been said since.
    if row.number >= ask.number then return redis.error_reply('STALE question') end
  else
    if row.expires > now + row.lease then
      -- The clock was set back, and would keep the dead for as long.
      row.expires = now + row.lease
      redis.call('HSET', book, name, cjson.encode(row))
    end
    if row.expires <= now then
      redis.call('HDEL', book, name)
    else
      holders = holders + 1
      for lane, has in pairs(row.lanes) do claim(name, lane, has[1], has[2]) end
    end
  end
end
for lane, has in pairs(ask.lanes) do mine[lane] = claim(holder, lane, has[1], has[2]) end

-- A holder that knows another book shows that this one is not the first: the server has lost it.
-- There may be more holders that have not been heard of yet, until their leases have run out.

if begun == nil then begun = {at = now, waits = 0} end
if ask.book ~= 0 and ask.book ~= begun.at then begun.waits = begun.at + ask.lease_ms end
begun.waits = math.min(begun.waits, now + ask.lease_ms)
local frozen = now < begun.waits

-- What would be fair: whoever wants little gets it, the others share the rest evenly, and what
-- cannot be divided goes round, so that nobody is left out where there are more than slots.

local function share(among, amount)
  table.sort(among, function(a, b)
    if a.open ~= b.open then return a.open < b.open end
    return a.name .. ' ' .. a.lane < b.name .. ' ' .. b.lane
  end)
  for i, one in ipairs(among) do
    local many = #among - i + 1
    local level = math.floor(amount / many)
    if one.open > level then
      local rest, greedy = amount - level * many, {unpack(among, i)}
      table.sort(greedy, function(a, b) return a.name .. ' ' .. a.lane < b.name .. ' ' .. b.lane end)
      for k, each in ipairs(greedy) do
        each.got = level + ((k + turn) % many < rest and 1 or 0)
      end
      return
    end
    one.got = one.open
    amount = amount - one.open
  end
end

local by_lane, kept_back = {}, 0
for _, one in ipairs(claims) do
  by_lane[one.lane] = by_lane[one.lane] or {}
  table.insert(by_lane[one.lane], one)
  one.open, one.part = one.wanted, 0
end
for lane, rule in pairs(ask.rules) do
  local among = by_lane[lane] or {}
  if rule.limit then
    share(among, rule.limit)
    for _, one in ipairs(among) do one.open = one.got end
  end
  share(among, rule.reserve)
  for _, one in ipairs(among) do
    one.part = one.got
    one.open = one.open - one.got
  end
  kept_back = kept_back + rule.reserve
end
share(claims, math.max(0, ask.budget - kept_back))
for _, one in ipairs(claims) do one.part = one.part + one.got end

-- What is really free, which no fairness can change.

local held, held_by_lane = 0, {}
local function count(lane, slots)
  held = held + slots
  held_by_lane[lane] = (held_by_lane[lane] or 0) + slots
end
local function free(lane)
  local left = ask.budget - held
  for name, rule in pairs(ask.rules) do
    if name ~= lane then left = left - math.max(0, rule.reserve - (held_by_lane[name] or 0)) end
  end
  local rule = ask.rules[lane]
  if rule and rule.limit then left = math.min(left, rule.limit - (held_by_lane[lane] or 0)) end
  return math.max(0, left)
end
for _, one in ipairs(claims) do count(one.lane, one.held) end

local answer, row, keeps, lacks = {}, {}, false, false
for lane, one in pairs(mine) do
  local more = 0
  if not frozen then more = math.max(0, math.min(one.part - one.held, free(lane))) end
  count(lane, more)
  one.held = one.held + more
  row[lane] = {one.held, one.wanted}
  keeps = keeps or one.held > 0
  lacks = lacks or one.part > one.held
end

-- One that stood still, or was cut off, may come back with calls in flight when others have its
-- slots. Whoever asks then lets calls end, and begins none, until there are no more than slots.

local over = math.max(0, held - ask.budget)
for lane, one in pairs(mine) do
  answer[lane] = {one.held, one.part}
  if over > 0 then answer[lane][2] = math.min(one.part, math.max(0, one.held - over)) end
  over = math.max(0, over - one.held)
end

-- Write it down.

if ask.leaving and not keeps then
  redis.call('HDEL', book, holder)
  holders = holders - 1
else
  redis.call('HSET', book, holder, cjson.encode({
    expires = now + ask.lease_ms, lease = ask.lease_ms, number = ask.number, lanes = row,
  }))
end
if holders == 0 then
  redis.call('DEL', book)
else
  redis.call('HSET', book, '', cjson.encode(begun))
  redis.call('PEXPIRE', book, ask.lease_ms * 4)
end

-- Wake whoever can have more now; and, where this one lacks some, whoever has too many. Nobody
-- else is disturbed. A server that does not allow this leaves them to ask from time to time.

for _, one in ipairs(claims) do
  if one.name ~= holder and not frozen then
    local more = math.min(one.part - one.held, free(one.lane))
    if more > 0 then count(one.lane, more) end
    if more > 0 or (lacks and one.held > one.part) then others[one.name] = true end
  end
end
for name in pairs(others) do redis.pcall('PUBLISH', book .. ':wake:' .. name, '') end

return cjson.encode({lanes = answer, book = begun.at, holders = holders})
