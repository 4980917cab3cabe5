-- System calls of user space: number, arguments, result. Those of the EABI, which
-- have their number in r7. `only` limits it to one number.
local only = nil

on("exception", function(kind)
    if kind ~= "svc" or (only and cpu.r7 ~= only) then return end
    local number, a, b, c = cpu.r7, cpu.r0, cpu.r1, cpu.r2
    local caller = cpu.lr_svc
    local once
    once = breakpoint(caller, function()
        if cpu.sp_usr == nil then return end
        remove(once)
        print(string.format("%.6f  call %d (%#x, %#x, %#x) = %#x", now(), number, a, b, c, cpu.r0))
    end)
end)
