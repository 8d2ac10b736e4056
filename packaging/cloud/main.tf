# A host on AWS behind an application load balancer, which ends TLS. To be read before it is applied.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "name" {
  description = "DNS name that points to the load balancer"
  type        = string
}

variable "site" {
  description = "Label that tells hosts apart"
  type        = string
}

variable "ami" {
  description = "Debian 12, of the architecture of the package"
  type        = string
}

variable "package_url" {
  description = "Where the host gets hostcast_*.deb"
  type        = string
}

variable "package_sha256" {
  description = "What sha256sum says of it"
  type        = string
}

variable "certificate_arn" {
  description = "Certificate for the name"
  type        = string
}

variable "vpc_id" {
  type = string
}

variable "host_subnet_id" {
  type = string
}

variable "balancer_subnet_ids" {
  description = "At least two, in different zones"
  type        = list(string)
}

variable "viewer_cidrs" {
  description = "Who may reach the load balancer"
  type        = list(string)
}

resource "aws_security_group" "balancer" {
  name_prefix = "hostcast-balancer-"
  vpc_id      = var.vpc_id

  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = var.viewer_cidrs
  }

  egress {
    from_port   = 7117
    to_port     = 7117
    protocol    = "tcp"
    cidr_blocks = [data.aws_subnet.host.cidr_block]
  }
}

data "aws_subnet" "balancer" {
  for_each = toset(var.balancer_subnet_ids)
  id       = each.value
}

data "aws_subnet" "host" {
  id = var.host_subnet_id
}

# Nobody but the load balancer reaches the port, in the clear: TLS ends there.
resource "aws_security_group" "host" {
  name_prefix = "hostcast-host-"
  vpc_id      = var.vpc_id

  ingress {
    from_port       = 7117
    to_port         = 7117
    protocol        = "tcp"
    security_groups = [aws_security_group.balancer.id]
  }

  egress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "host" {
  ami                         = var.ami
  instance_type               = "t3.small"
  subnet_id                   = var.host_subnet_id
  vpc_security_group_ids      = [aws_security_group.host.id]
  user_data_replace_on_change = true
  user_data = templatefile("${path.module}/user-data.yaml", {
    name           = var.name
    site           = var.site
    package_url    = var.package_url
    package_sha256 = var.package_sha256
    # A list in JSON is one in TOML.
    balancer_networks = jsonencode([for subnet in data.aws_subnet.balancer : subnet.cidr_block])
  })

  # cloud-init reads its user data there; hostcast asks nothing.
  metadata_options {
    http_tokens = "required"
  }

  tags = {
    Name = "hostcast ${var.site}"
  }
}

resource "aws_lb" "hostcast" {
  name_prefix        = "hcast-"
  load_balancer_type = "application"
  security_groups    = [aws_security_group.balancer.id]
  subnets            = var.balancer_subnet_ids

  # Seconds of silence, in both directions, after which it gives a connection up, without a word. A stream is never silent
  # for so long: there are samples, else a heartbeat after 5 s (server.heartbeat), and a ping every 20 s, which every
  # WebSocket client answers (server.limits.ping_interval). So one lost packet in either direction is survived twice.
  #
  # A network load balancer does as well, with a `tcp` listener (hostcast or a proxy on the host ends TLS then) or a `tls`
  # one. Its silence is 350 s, and after it the next packet is answered with a reset: a client notices only then.
  idle_timeout = 60
}

resource "aws_lb_target_group" "hostcast" {
  name_prefix = "hcast-"
  port        = 7117
  protocol    = "HTTP"
  vpc_id      = var.vpc_id

  # Streams last for months, so waiting for their end is in vain: clients come back and resume.
  deregistration_delay = 10

  # It needs no token, and answers 503 when no samples are taken.
  health_check {
    path                = "/healthz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_target_group_attachment" "hostcast" {
  target_group_arn = aws_lb_target_group.hostcast.arn
  target_id        = aws_instance.host.id
  port             = 7117
}

resource "aws_lb_listener" "hostcast" {
  load_balancer_arn = aws_lb.hostcast.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.hostcast.arn
  }
}

# What the DNS name has to point to.
output "balancer" {
  value = aws_lb.hostcast.dns_name
}
