# docker build -t imagegen . && docker run --rm -p 7860:7860 imagegen
# With NVIDIA's container toolkit, run with --gpus all.
FROM python:3.12-slim
WORKDIR /app
RUN useradd --create-home visitor
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app.py LICENSE README.md ./
COPY imagegen imagegen
COPY checkpoints checkpoints
USER visitor
EXPOSE 7860
CMD ["python", "app.py", "--host", "0.0.0.0"]
