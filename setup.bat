@echo off
rem Makes .venv, installs the pinned packages and compiles the kernels.
cd /d "%~dp0"
if not exist .venv\Scripts\python.exe (
    py -3.11 -m venv .venv 2>nul || python -m venv .venv || (echo setup: Python 3.11 or newer is needed. & exit /b 1)
)
fc /b requirements.txt .venv\installed.txt >nul 2>&1
if errorlevel 1 (
    echo setup: installing the packages of requirements.txt
    .venv\Scripts\python -m pip install --quiet -r requirements.txt || exit /b 1
    .venv\Scripts\python -m atm.app.warm_up || exit /b 1
    copy /y requirements.txt .venv\installed.txt >nul
)
