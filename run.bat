@echo off
rem Sets up what is missing, then starts the program; all arguments are passed on.
call "%~dp0setup.bat" || exit /b 1
"%~dp0.venv\Scripts\python" "%~dp0main.py" %*
