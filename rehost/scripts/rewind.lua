-- The same moment again and again: a snapshot at the prompt, then one command
-- after the other from there, each in a guest that knows nothing of the others.
local commands = { "echo one > /tmp/file", "cat /tmp/file", "ls /tmp | wc -l" }
local ready, index = nil, 0

local function another()
    index = index + 1
    if commands[index] then
        restore(ready)
        send(commands[index] .. "; echo done=$?\n")
    else
        stop()
    end
end

on("milestone", function(name)
    if name == "shell" then
        ready = snapshot()
        another()
    end
end)
expect("\ndone=(%d+)", function(code)
    print(string.format("%-24s answers %s", commands[index], code))
    another()
end)
