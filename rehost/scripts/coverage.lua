-- Which functions of the kernel run between the prompt and the end of a command:
-- a call graph's nodes, without a line of the kernel being changed.
local seen, count, id = {}, 0, nil

on("milestone", function(name)
    if name ~= "shell" then return end
    id = on("block", function(pc)
        local name = where(pc):match("^[%w_]+")
        if name and not seen[name] and pc >= 0xc0000000 then
            seen[name] = true
            count = count + 1
        end
    end)
end)
on("finish", function()
    print(count .. " functions of the kernel ran")
end)
