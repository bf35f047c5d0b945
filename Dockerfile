# docker build -t imagegen . && docker run --rm -p 7860:7860 imagegen
# With NVIDIA's container toolkit: build with --build-arg TORCH=https://pypi.org/simple, run with --gpus all.
FROM python:3.12-slim
ARG TORCH=https://download.pytorch.org/whl/cpu
WORKDIR /app
RUN useradd --create-home visitor
COPY requirements.txt .
RUN pip install --no-cache-dir torch torchvision --index-url $TORCH && pip install --no-cache-dir -r requirements.txt
COPY app.py LICENSE README.md ./
COPY imagegen imagegen
COPY checkpoints checkpoints
USER visitor
EXPOSE 7860
CMD ["python", "app.py", "--host", "0.0.0.0"]
