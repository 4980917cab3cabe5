-- A function of the kernel that answers without being carried out: here nobody can
-- set the name of the host. The same skips a check that a firmware makes.
local EPERM = 1
local names = { "__se_sys_sethostname", "sys_sethostname", "__sys_sethostname" }

on("start", function()
    for _, name in ipairs(names) do
        if symbol(name) then
            breakpoint(name, function()
                cpu.r0 = -EPERM
                cpu.pc = cpu.lr
            end)
            return
        end
    end
    error("this kernel has none of " .. table.concat(names, ", "))
end)
