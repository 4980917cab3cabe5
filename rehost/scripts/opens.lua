-- Files that user space opens, and programs that it starts, by name. The names of
-- the EABI's calls: open 5, execve 11, openat 322.
local names = { [5] = "open", [11] = "execve", [322] = "openat" }

on("exception", function(kind)
    local name = kind == "svc" and names[cpu.r7]
    if not name then return end
    local path = name == "openat" and cpu.r1 or cpu.r0
    -- The page may not be there yet: the kernel would fetch it, we do not.
    local read, text = pcall(memory.text, path)
    print(string.format("%-6s %s", name, read and text or string.format("at %#x", path)))
end)
