print("certificates")
