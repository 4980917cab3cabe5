-- Who changes a variable of the kernel, from what to what.
local name = "jiffies"
local left = 5

on("milestone", function(milestone)
    if milestone ~= "first_tick" then return end
    local id
    id = watchpoint(name, 4, "write", function(hit)
        print(string.format("%s %#x -> %#x by %s", name, hit.old, hit.new, where(hit.pc)))
        left = left - 1
        if left == 0 then remove(id) end
    end)
end)
