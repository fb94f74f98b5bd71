-- Loads Spraay from the folder that `make bundle` puts together. It must be a real folder, for shared objects
-- cannot be loaded out of a .love file: inside the game's folder, or beside the .love file or the fused program.
local bundle = {}

local function folder()
  local places = { love.filesystem.getSource(), love.filesystem.getSourceBaseDirectory() }
  for _, place in ipairs(places) do
    local file = io.open(place .. "/bundle/spraay/core.so")
    if file then
      file:close()
      return place .. "/bundle"
    end
  end
end

--- The module; or nil and a sentence for the player, such as that libcurl is not there.
function bundle.load()
  local here = folder()
  if not here then return nil, "The folder \"bundle\" is missing: `make bundle` puts it together." end
  package.path = here .. "/?.lua;" .. here .. "/?/init.lua;" .. package.path
  package.cpath = here .. "/?.so;" .. package.cpath   -- LÖVE's own loader would not say why something fails
  local ok, spraay = pcall(require, "spraay")
  if ok then return spraay end
  local missing = tostring(spraay):match "(lib[%w_%-]+%.so[%w%.]*): cannot open"
  if missing then return nil, missing .. " is missing on this computer. Nothing can be bought without it." end
  return nil, "Spraay cannot be loaded: " .. tostring(spraay)
end

return bundle
