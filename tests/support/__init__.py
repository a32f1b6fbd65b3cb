"""What the tests stand on: servers, databases cloned from templates, and scripted sessions."""
