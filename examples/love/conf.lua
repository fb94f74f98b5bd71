function love.conf(t)
  t.identity = "spraay-keeper"     -- the folder of the save directory, where the portrait is kept
  t.version = "11.4"
  t.window.title = "The keeper of the lighthouse"
  t.window.width, t.window.height = 960, 540
  t.modules.audio, t.modules.sound, t.modules.joystick, t.modules.physics = false, false, false, false
end
